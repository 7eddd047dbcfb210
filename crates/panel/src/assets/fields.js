// Lists of values: rows are added and dropped without asking the server. And a form is sent once.
document.addEventListener("click", (event) => {
  const add = event.target.closest?.("button[data-add]");
  const drop = event.target.closest?.("button[data-drop]");
  if (add) {
    event.preventDefault();
    const items = add.closest(".list").querySelector(".items");
    const row = items.lastElementChild.cloneNode(true);
    const input = row.querySelector("input");
    input.value = "";
    input.id = `${input.id}-${items.childElementCount}`;
    input.removeAttribute("aria-invalid");
    items.append(row);
    input.focus();
  } else if (drop) {
    event.preventDefault();
    const items = drop.closest(".items");
    if (items.childElementCount > 1) drop.closest(".item").remove();
  }
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});
document.querySelector("[data-summary]")?.focus();
