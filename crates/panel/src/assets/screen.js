// The picture of a screen: loaded again by hand, and by itself while the page is looked at.
(() => {
  const picture = document.querySelector("img[data-screen]");
  if (!picture) return;
  const address = picture.getAttribute("src");
  const none = document.querySelector("[data-screen-none]");
  const shown = (there) => {
    picture.hidden = !there;
    none.hidden = there;
  };
  const again = () => {
    picture.src = `${address}?at=${Date.now()}`;
  };
  picture.addEventListener("load", () => shown(true));
  picture.addEventListener("error", () => shown(false));
  if (picture.complete) shown(picture.naturalWidth > 0);
  document.querySelector("[data-screen-again]").addEventListener("click", again);
  setInterval(() => document.hidden || again(), 15000);
})();
