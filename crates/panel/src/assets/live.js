// Live parts: when the stream tells of something, the page is asked for again and its live parts are put in place.
function loadPage(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.onload = () => (request.status < 400 && request.response ? resolve(request) : reject(request.status));
    request.onerror = () => reject(0);
    request.send();
  });
}
(() => {
  const stream = document.body.dataset.stream;
  if (!stream) return;
  let waiting = null;
  let loading = false;
  let again = false;
  async function refresh() {
    waiting = null;
    if (loading) {
      again = true;
      return;
    }
    loading = true;
    try {
      const { response } = await loadPage(document.body.dataset.source ?? location.href);
      for (const fresh of response.querySelectorAll("[data-live]")) {
        const old = document.getElementById(fresh.id);
        // What somebody is typing in or has opened stays as it is.
        if (!old || old.contains(document.activeElement?.closest("input, select, textarea, dialog"))) continue;
        if (old.innerHTML !== fresh.innerHTML) old.replaceWith(document.adoptNode(fresh));
      }
    } catch {
      // The next event tries again.
    }
    loading = false;
    if (again) {
      again = false;
      soon();
    }
  }
  const soon = () => {
    if (!waiting) waiting = setTimeout(refresh, 250);
  };
  const source = new EventSource(stream);
  source.addEventListener("event", soon);
  // States also change with time alone, and a step's progress tells no event.
  setInterval(() => {
    if (!document.hidden && document.querySelector("[data-live] .busy, [data-live] .now, [data-live] progress")) soon();
  }, 2000);
  document.addEventListener("visibilitychange", () => document.hidden || soon());
  addEventListener("pagehide", () => source.close());
})();
