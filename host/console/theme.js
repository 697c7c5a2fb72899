// The theme, before the first paint: a choice that was remembered, else what the system says.
(() => {
  try {
    const theme = localStorage.getItem("sangam.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // A browser that keeps nothing shows what the system says.
  }
})();
