// Copy buttons: the code beside the button goes to the clipboard.
document.documentElement.classList.add("scripted");
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.(".copy button");
  if (!button) return;
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    return;
  }
  button.classList.add("done");
  const said = button.getAttribute("aria-label");
  button.setAttribute("aria-label", button.dataset.done);
  setTimeout(() => {
    button.classList.remove("done");
    button.setAttribute("aria-label", said);
  }, 1600);
});
