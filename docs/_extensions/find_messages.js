// SPDX-FileCopyrightText: 2026 mlkeys contributors
// SPDX-License-Identifier: BSD-2-Clause

// Show the explanations of the error message in the search box, above the results.
(() => {
  const plain = (text) => text.toLowerCase().replace(/\s+/g, " ").trim();
  const query = plain(new URLSearchParams(location.search).get("q") || "");
  // The share of a message that the query has. A message has an ellipsis where text varies.
  const share = (message) => {
    const fixed = plain(message).split("…").map((part) => part.replace(/^[\s'.:,]+|[\s'.:,]+$/g, "")).filter((part) => part.length > 5);
    const all = fixed.reduce((sum, part) => sum + part.length, 0);
    const found = fixed.filter((part) => query.includes(part)).reduce((sum, part) => sum + part.length, 0);
    const within = query.length > 11 && fixed.some((part) => part.includes(query));
    return all === 0 ? 0 : Math.max(found / all, found > 24 ? 0.5 : 0, within ? 0.5 : 0);
  };
  const best = MESSAGES.map(([message, address]) => [share(message), message, address])
    .filter(([found]) => found >= 0.4)
    .sort((one, other) => other[0] - one[0])
    .slice(0, 3);
  const results = document.getElementById("search-results");
  if (!results || best.length === 0) return;
  const shown = document.createElement("div");
  shown.className = "messages";
  const title = document.createElement("h2");
  title.textContent = "Error messages";
  const list = document.createElement("ul");
  for (const [, message, address] of best) {
    const link = document.createElement("a");
    link.href = address;
    link.textContent = message;
    list.appendChild(document.createElement("li")).appendChild(link);
  }
  shown.append(title, list);
  results.before(shown);
})();
