// What the operator has set, as the page's template passes it on.

export const config = JSON.parse(document.getElementById("config").textContent);
