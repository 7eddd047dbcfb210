// A form with a file is sent by script, so that it is seen how far it is. The answer is a page: this one, or another. Whoever chooses a file
// begins anew: what was wrong with the last one is not said of this.
document.addEventListener("change", ({ target }) => {
  const form = target.closest?.("form[data-max]");
  if (!form || target.type !== "file") return;
  const large = target.files[0]?.size > Number(form.dataset.max);
  target.setCustomValidity(large ? form.dataset.large : "");
  if (large) target.reportValidity();
  form.querySelector("[data-broken]").hidden = true;
  form.dataset.anew = "";
});
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-max]");
  if (!form || event.defaultPrevented) return;
  event.preventDefault();
  const [sending, broken] = ["[data-sending]", "[data-broken]"].map((part) => form.querySelector(part));
  const bar = sending.querySelector("progress");
  const share = sending.querySelector("[data-share]");
  const again = () => {
    sending.hidden = true;
    broken.querySelector("span").textContent = form.dataset.cut;
    broken.hidden = false;
    delete form.dataset.sent;
    form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
  };
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.responseType = "document";
  request.upload.onprogress = ({ loaded, total }) => {
    const percent = Math.floor((loaded / total) * 100);
    bar.value = percent;
    share.textContent = `${percent} %`;
  };
  request.upload.onload = () => bar.removeAttribute("value");
  request.onerror = again;
  request.onload = () => {
    const main = request.response?.querySelector("main");
    if (!main) return again();
    const { pathname } = new URL(request.responseURL);
    if (pathname !== location.pathname) return location.assign(request.responseURL);
    document.querySelector("main").replaceWith(document.adoptNode(main));
    document.querySelector("[data-summary]")?.focus();
  };
  broken.hidden = true;
  form.dataset.anew = "";
  sending.hidden = false;
  request.send(new FormData(form));
});
