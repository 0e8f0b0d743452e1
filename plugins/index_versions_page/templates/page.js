// Airflow shows this page in a sandboxed frame, so links must be opened from outside, and the theme must be copied.
"use strict";
if (window.parent !== window) {
  const outer = window.parent.document;
  const follow = () => {
    document.documentElement.style.colorScheme = outer.documentElement.style.colorScheme;
  };
  follow();
  const observer = new MutationObserver(follow);
  observer.observe(outer.documentElement, { attributes: true, attributeFilter: ["style", "class"] });
  window.addEventListener("pagehide", () => observer.disconnect());
  for (const link of document.querySelectorAll("a[data-airflow]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const outside = outer.createElement("a");
      outside.href = link.href;
      outside.click();
    });
  }
}
