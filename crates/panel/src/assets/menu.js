// Menus close when something else is meant; a toast goes by itself; a choice in a bar is sent at once.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.removeAttribute("open");
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.removeAttribute("open");
    menu.querySelector("summary").focus();
  }
});
for (const toast of document.querySelectorAll(".toast")) {
  setTimeout(() => toast.classList.add("leaving"), 6000);
  setTimeout(() => toast.remove(), 6500);
}
// A page that the browser kept from before log-out shows nothing: it is asked for again.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
