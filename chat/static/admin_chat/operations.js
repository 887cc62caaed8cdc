// Puts the newest figures in place. What comes is HTML that the server has escaped, the same that
// the page is made of.

const EVERY = 5000; // ms
const PATIENCE = 10000;

const figures = document.getElementById("figures");
const refreshes = document.getElementById("refreshes");
const stale = document.getElementById("stale");

// Whoever reads, marks or has something in focus is not disturbed.
const isInUse = () =>
  figures.contains(document.activeElement) || !window.getSelection().isCollapsed;

const look = async () => {
  const answer = await fetch("?only=figures", { signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
  const told = await answer.text();
  if (isInUse() || !refreshes.checked) return;
  figures.innerHTML = told;
};

const keepFresh = async () => {
  if (refreshes.checked && !document.hidden && !isInUse()) {
    try {
      await look();
      stale.textContent = "";
    } catch {
      stale.textContent = "No news comes: these figures are old. Trying again.";
    }
  }
  setTimeout(keepFresh, EVERY);
};

setTimeout(keepFresh, EVERY);
