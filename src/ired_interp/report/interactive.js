"use strict";
// Draws the interactive figures of a report: plotly.js and the numbers lie compressed in the page.
(() => {
  if (!("DecompressionStream" in window)) { return; } // the drawings are there without it
  const inflate = async (id) => {
    const packed = atob(document.getElementById(id).textContent.trim());
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  let plotly = null; // inflated once, when the first figure comes near
  const load = () => {
    plotly ??= inflate("plotly").then((source) => {
      const script = document.createElement("script");
      script.textContent = source;
      document.head.append(script);
    });
    return plotly;
  };

  const dark = window.matchMedia("screen and (prefers-color-scheme: dark)");

  // Colours are names of the page's variables; what is {light, dark} is one of both;
  // {color, alpha} is a colour that lets the ground through.
  const inTheme = (value) => {
    if (typeof value === "string") {
      const name = /^var\((--[a-z-]+)\)$/.exec(value);
      return name ? getComputedStyle(document.documentElement).getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) { return value.map(inTheme); }
    if (value === null || typeof value !== "object") { return value; }
    if ("light" in value && "dark" in value) { return dark.matches ? value.dark : value.light; }
    if ("differences" in value) { return summed(value); }
    if ("alpha" in value) { return inTheme(value.color) + Math.round(255 * value.alpha).toString(16).padStart(2, "0"); }
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inTheme(one)]));
  };

  const summed = ({ low, step, differences }) => {
    if (differences === null) { return []; }
    const above = differences[0].map(() => 0);
    return differences.map((row) => {
      let sum = 0;
      return row.map((difference, i) => {
        sum += difference;
        above[i] += sum;
        return low + step * above[i];
      });
    });
  };

  const start = async (box) => {
    const [text] = await Promise.all([inflate(box.dataset.numbers), load()]);
    const figure = JSON.parse(text);
    const chart = box.querySelector(".chart");
    const slider = box.querySelector("input");
    const said = box.querySelector("output");
    const list = box.querySelector("select");
    const touched = window.matchMedia("(pointer: coarse)").matches;
    box.hidden = false;
    let zoomed = {}; // ranges that the reader chose, by axis: they stay while the slider moves
    let drawings = 0;
    const draw = () => {
      const [choice, place] = [list ? list.selectedIndex : 0, slider.valueAsNumber];
      said.textContent = figure.positions[place];
      slider.setAttribute("aria-valuetext", figure.positions[place]);
      const changes = figure.changes.length ? figure.changes[choice][place] : {};
      const traces = figure.traces.map((trace, i) => ({ ...trace, ...figure.values[choice][place][i] }));
      const layout = {
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: "system-ui, sans-serif", size: 13, color: "var(--fig-ink)" },
        hoverlabel: { bgcolor: "var(--raised)", bordercolor: "var(--fig-muted)", font: { color: "var(--fig-ink)" } },
        legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: "var(--fig-muted)", activecolor: "var(--fig-ink)" },
        margin: { l: 10, r: 10, t: 10, b: 10, pad: 2 },
        dragmode: touched ? false : "zoom", // a finger scrolls the page
        uirevision: `choice ${choice}`, // what is hidden in the legend stays while the slider moves
        ...figure.layout,
        ...changes,
      };
      drawings += 1;
      for (const axis of ["xaxis", "yaxis"]) {
        const chosen = axis in zoomed ? { range: zoomed[axis], autorange: false } : {};
        layout[axis] = { ...layout[axis], ...chosen, uirevision: drawings };
      }
      return window.Plotly.react(chart, inTheme(traces), inTheme(layout), {
        responsive: true,
        displaylogo: false,
        doubleClick: false, // as plotly has it, it goes back to the first picture's axes
        modeBarButtonsToRemove: ["toImage", "select2d", "lasso2d", "autoScale2d", "resetScale2d"],
        modeBarButtonsToAdd: [{ name: "Reset axes", icon: window.Plotly.Icons.home, click: reset }],
      });
    };
    const reset = () => {
      zoomed = {};
      return draw();
    };
    slider.addEventListener("input", draw);
    list?.addEventListener("change", reset); // another choice may have other axes
    dark.addEventListener("change", draw);
    await draw();
    chart.on("plotly_doubleclick", reset);
    chart.on("plotly_relayout", (moved) => {
      for (const axis of ["xaxis", "yaxis"]) {
        if (`${axis}.range[0]` in moved) { zoomed[axis] = [moved[`${axis}.range[0]`], moved[`${axis}.range[1]`]]; }
        if (`${axis}.range` in moved) { zoomed[axis] = moved[`${axis}.range`]; }
      }
    });
    box.dataset.drawn = "yes";
  };

  const near = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      if (isIntersecting) {
        near.unobserve(target);
        start(target.nextElementSibling);
      }
    }
  }, { rootMargin: "800px" });
  document.querySelectorAll("figure:has(+ .interactive)").forEach((figure) => near.observe(figure));
})();
