// Refreshes the operations page. The server renders and escapes the HTML with the same template as
// the page.

const REFRESH_INTERVAL = 5000; // ms
const TIMEOUT = 10000;

const figures = document.getElementById("figures");
const autoRefresh = document.getElementById("auto-refresh");
const stale = document.getElementById("stale");

// Do not refresh while the user selects text or has focused something.
const isInUse = () =>
  figures.contains(document.activeElement) || !window.getSelection().isCollapsed;

const refresh = async () => {
  const response = await fetch("?only=figures", { signal: AbortSignal.timeout(TIMEOUT) });
  if (!response.ok || response.redirected) throw new Error(response.statusText);
  const html = await response.text();
  if (isInUse() || !autoRefresh.checked) return;
  figures.innerHTML = html;
};

const run = async () => {
  if (autoRefresh.checked && !document.hidden && !isInUse()) {
    try {
      await refresh();
      stale.textContent = "";
    } catch {
      stale.textContent = "Refresh failed. These figures are outdated. Trying again…";
    }
  }
  setTimeout(run, REFRESH_INTERVAL);
};

setTimeout(run, REFRESH_INTERVAL);
