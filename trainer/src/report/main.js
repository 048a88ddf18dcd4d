// Draws the page.

document.getElementById("theme").addEventListener("change", (event) => {
  document.documentElement.style.colorScheme = event.target.value;
});
drawRuns();
drawEvaluations();
drawCurves();
drawEpisodes();
