// Confirmations: without script a page of its own, with script the same page's content in a dialog.
document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-dialog]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const { response } = await loadPage(link.href);
    const content = response.querySelector("[data-dialog-content]");
    if (!content) throw new Error("no content");
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "dialog-title");
    const inner = document.createElement("div");
    inner.className = "inner";
    inner.append(...document.adoptNode(content).childNodes);
    inner.querySelector("h1, h2")?.setAttribute("id", "dialog-title");
    dialog.append(inner);
    dialog.addEventListener("click", (clicked) => {
      if (clicked.target === dialog || clicked.target.closest("[data-close]")) {
        clicked.preventDefault();
        dialog.close();
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      link.focus();
    });
    document.body.append(dialog);
    dialog.showModal();
  } catch {
    location.href = link.href;
  }
});
