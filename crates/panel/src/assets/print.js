// A page that is made to be shown on paper has a button for it.
document.addEventListener("click", (event) => {
  if (event.target.closest?.("button[data-print]")) print();
});
