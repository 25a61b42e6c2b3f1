"use strict";
// Draws the charts of a report: plotly.js and the numbers lie compressed in the page.
(() => {
  if (!("DecompressionStream" in window)) { return; } // the page says what to do without it
  const inflate = async (id) => {
    const packed = atob(document.getElementById(id).textContent.trim());
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  let plotly = null; // inflated once, when the first chart comes near
  const load = () => {
    plotly ??= inflate("plotly").then((source) => {
      const script = document.createElement("script");
      script.textContent = source;
      document.head.append(script);
    });
    return plotly;
  };

  const dark = window.matchMedia("screen and (prefers-color-scheme: dark)");
  let printing = false; // the paper is white, whatever the screen is
  const isDark = () => dark.matches && !printing;

  // Colours are names of the page's variables; what is {light, dark} is one of both;
  // {color, alpha} is a colour that lets the ground through; {table} is one of the chart's tables.
  const inTheme = (value, tables) => {
    if (typeof value === "string") {
      const name = /^var\((--[a-z0-9-]+)\)$/.exec(value);
      return name ? getComputedStyle(document.documentElement).getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) { return value.map((one) => inTheme(one, tables)); }
    if (value === null || typeof value !== "object") { return value; }
    if ("light" in value && "dark" in value) { return isDark() ? value.dark : value.light; }
    if ("differences" in value) { return summed(value); }
    if ("table" in value) { return inTheme(tables[value.table]); }
    if ("alpha" in value) { return inTheme(value.color) + Math.round(255 * value.alpha).toString(16).padStart(2, "0"); }
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inTheme(one, tables)]));
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

  const AXIS = { color: "var(--fig-ink)", gridcolor: "var(--rule)", zerolinecolor: "var(--rule)", automargin: false, exponentformat: "power" };
  const NOTHING = { type: "scatter", x: [null], y: [null] }; // without a trace there are no axes
  const [LETTER, TITLE] = [6.6, 7]; // pixels, of a tick's words and of a title's
  const lines = (text) => (text ? text.split("<br>").length : 0);
  const longest = (axis) => Math.max(0, ...(axis.ticktext ?? []).flatMap((one) => one.split("<br>")).map((one) => one.length));

  // How so many columns of panels would stand: which axes have labels, and what is free for a panel.
  const measured = (grid, width, columns) => {
    const kept = columns === Math.min(grid.columns, grid.panels.length); // rows are those of the chart
    const ticks = (i) => kept ? i % columns === 0 || grid.groups[i] !== grid.groups[i - 1] : true;
    const below = (i) => !(kept && grid.sameX) || i + columns >= grid.panels.length;
    const lefts = grid.panels.map((one, i) => !one.y.visible ? 6 : !ticks(i) ? 8
      : (one.y.title.text ? 22 : 4) + Math.min(0.4 * width, Math.max(44, LETTER * longest(one.y) + 8)));
    const margins = (row) => Array.from({ length: columns }, (_, column) => lefts[column + columns * row] ?? 8);
    const free = (row) => (width - margins(row).reduce((a, b) => a + b, 0) - 12 * columns) / columns;
    return { columns, rows: Math.ceil(grid.panels.length / columns), ticks, below, margins, free };
  };
  const widest = (one) => Math.max(...one.title.split("<br>").map((line) => TITLE * line.length));
  const fits = (grid, { columns, rows, free }) => {
    const least = Math.min(...Array.from({ length: rows }, (_, row) => free(row)));
    return columns === 1 || (least > 84 && Math.max(...grid.panels.map(widest)) < least + 10);
  };

  // Where each panel of a grid stands on a page of that width: as many columns as there is room for.
  const laidOut = (grid, width) => {
    let way = measured(grid, width, Math.min(grid.columns, grid.panels.length));
    while (!fits(grid, way)) { way = measured(grid, width, way.columns - 1); }
    const { columns, rows, ticks, below } = way;
    const cells = [];
    let top = 4;
    for (let row = 0; row < rows; row += 1) {
      const here = grid.panels.map((_, i) => i).filter((i) => Math.floor(i / columns) === row);
      const title = 8 + 17 * Math.max(...here.map((i) => lines(grid.panels[i].title)));
      const foot = Math.max(...here.map((i) => {
        const x = grid.panels[i].x;
        return !x.visible ? 8 : !below(i) ? 10
          : 12 + 15 * Math.max(1, ...(x.ticktext ?? []).map(lines)) + (x.title.text ? 22 : 0);
      }));
      const [margins, free] = [way.margins(row), way.free(row)];
      const height = here.every((i) => grid.panels[i].square) ? Math.min(free, 1.6 * grid.height) : grid.height;
      let left = 0;
      for (const i of here) {
        left += margins[i % columns];
        const middle = i === here[Math.floor((here.length - 1) / 2)];
        cells[i] = { middle, left, right: left + free, top: top + title, bottom: top + title + height, ticks: ticks(i), below: below(i) };
        left += free + 12;
      }
      top += title + height + foot;
    }
    return { cells, height: top };
  };

  // Traces and layout of a grid of panels, as plotly has them.
  const assembled = (grid, width, hidden) => {
    const { cells, height } = laidOut(grid, width);
    const layout = { width, height, margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, annotations: [], shapes: [], barmode: "overlay" };
    const traces = [];
    const firstOf = {};
    grid.panels.forEach((panel, i) => {
      const n = i ? String(i + 1) : "";
      const [x, y, cell] = [`x${n}`, `y${n}`, cells[i]];
      firstOf[grid.groups[i]] ??= y;
      const along = { ...AXIS, ...panel.x, domain: [cell.left / width, cell.right / width], anchor: y, showticklabels: cell.below };
      const up = { ...AXIS, ...panel.y, domain: [1 - cell.bottom / height, 1 - cell.top / height], anchor: x, showticklabels: cell.ticks };
      if (grid.sameX && i) { along.matches = "x"; }
      if (firstOf[grid.groups[i]] !== y) { up.matches = firstOf[grid.groups[i]]; }
      if (panel.square) { Object.assign(up, { scaleanchor: x, constrain: "domain" }); along.constrain = "domain"; }
      // Beside each other long labels would meet: one of them stands for all.
      const crowded = LETTER * panel.x.title.text.length > cell.right - cell.left && !cell.middle;
      along.title = { text: cell.below && !crowded ? panel.x.title.text : "", standoff: 4, font: { size: 12 } };
      up.title = { text: cell.ticks ? panel.y.title.text : "", standoff: 6, font: { size: 12 } };
      layout[`xaxis${n}`] = along;
      layout[`yaxis${n}`] = up;
      const words = { xref: `${x} domain`, yref: `${y} domain`, showarrow: false };
      if (panel.title) {
        layout.annotations.push({ ...words, text: panel.title, x: 0, y: 1, xanchor: "left", yanchor: "bottom", align: "left", yshift: 3, font: { size: 13, color: panel.color } });
      }
      for (const note of panel.notes) {
        const at = note.inside ? words : { ...words, xref: x, yref: y };
        layout.annotations.push({ ...at, text: note.text, x: note.x, y: note.y, xanchor: note.align, yanchor: "middle", align: note.align, font: { size: 12, color: note.color } });
      }
      for (const { across, at, line } of panel.shapes) {
        const place = across === "y" ? { x0: 0, x1: 1, y0: at, y1: at, xref: `${x} domain`, yref: y } : { x0: at, x1: at, y0: 0, y1: 1, xref: x, yref: `${y} domain` };
        layout.shapes.push({ type: "line", ...place, line });
      }
      for (const trace of panel.traces.length ? panel.traces : [NOTHING]) {
        traces.push({ ...trace, xaxis: x, yaxis: y, visible: !hidden.has(trace.name) });
      }
    });
    return { traces, layout };
  };

  const MARKS = {
    circle: "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", square: "M-4,-4h8v8h-8z", diamond: "M0,-5L5,0L0,5L-5,0z",
    "triangle-up": "M0,-5L5,4h-10z", "triangle-down": "M0,5L5,-4h-10z", "triangle-left": "M-5,0L4,-5v10z", "triangle-right": "M5,0L-4,-5v10z",
    cross: "M-1.5,-5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z", x: "M-5,-3L-3,-5L0,-2L3,-5L5,-3L2,0L5,3L3,5L0,2L-3,5L-5,3L-2,0z",
    pentagon: "M0,-5L4.8,-1.5L2.9,4h-5.8L-4.8,-1.5z", hexagon: "M-2.5,-4.3h5L5,0L2.5,4.3h-5L-5,0z",
    star: "M0,-5.5L1.3,-1.8H5.2L2.1,0.7L3.2,4.5L0,2.2L-3.2,4.5L-2.1,0.7L-5.2,-1.8H-1.3z",
    plus: "M-4.5,0h9M0,-4.5v9", tick: "M0,-5v10", bar: "M-5,0h10",
  };
  const DASHES = { dash: "5 3", dot: "1.5 2.5", dashdot: "5 2.5 1.5 2.5" };
  const drawnAs = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) { element.setAttribute(key, value); }
    return element;
  };
  const swatch = ({ color, dash, marker, filled, kind }) => {
    const svg = drawnAs("svg", { width: 30, height: 14, viewBox: "-15 -7 30 14", "aria-hidden": "true" });
    if (kind === "area") { svg.append(drawnAs("rect", { x: -10, y: -5, width: 20, height: 10, fill: color })); }
    if (kind === "line" && dash !== "none") { svg.append(drawnAs("path", { d: "M-14,0h28", stroke: color, "stroke-width": 1.8, "stroke-dasharray": DASHES[dash] ?? "none" })); }
    if (marker) {
      const stroke = ["plus", "tick", "bar"].includes(marker);
      svg.append(drawnAs("path", { d: MARKS[marker], stroke: color, "stroke-width": stroke ? 2 : 1.2, fill: stroke ? "none" : filled ? color : "var(--ground)" }));
    }
    return svg;
  };

  // The bar that says what the colours of a map mean.
  const explain = (box, bar) => {
    box.hidden = !bar;
    if (!bar) { return; }
    const [strip, low, high, label] = box.children;
    const colors = isDark() ? bar.scale.dark : bar.scale.light;
    strip.style.background = `linear-gradient(to right, ${colors.join(", ")})`;
    strip.replaceChildren(...bar.marks.map((mark) => {
      const line = document.createElement("i");
      line.style.left = `${(100 * (mark - bar.low)) / (bar.high - bar.low)}%`;
      return line;
    }));
    const said = (number) => String(number).replace("-", "−");
    [low.textContent, high.textContent, label.textContent] = [said(bar.low), said(bar.high), bar.label];
  };

  const start = async (box) => {
    const [text] = await Promise.all([inflate(box.dataset.numbers), load()]);
    const figure = JSON.parse(text);
    const chart = box.querySelector(".chart");
    const [slider, said, list] = ["input", "output", "select"].map((one) => box.querySelector(one));
    const [legend, bar] = [box.querySelector(".legend"), box.querySelector(".bar")];
    const touched = window.matchMedia("(pointer: coarse)").matches;
    const hidden = new Set();
    box.hidden = false;
    let zoomed = {}; // ranges that the reader chose, by axis: they stay while the slider moves
    let drawings = 0;
    let heard = false;
    let drawnAt = 0;
    let overview = true;
    const places = () => (figure.overview ? [box.dataset.all, ...figure.positions] : figure.positions);

    // What is shown: the overview, or the picture of a choice and a place of the slider.
    const shown = (width) => {
      const [choice, place] = [list ? list.selectedIndex : 0, slider ? slider.valueAsNumber : 0];
      if (figure.overview) {
        const grid = overview ? figure.overview : figure.views[choice][place - 1];
        legend.replaceChildren(...grid.legend.map(entry));
        explain(bar, grid.bar);
        return assembled(grid, width, hidden);
      }
      const changes = figure.changes.length ? figure.changes[choice][place] : {};
      return {
        traces: figure.traces.map((trace, i) => ({ ...trace, ...figure.values[choice][place][i] })),
        layout: { width, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, margin: { l: 10, r: 10, t: 10, b: 10, pad: 2 }, ...figure.layout, ...changes },
      };
    };

    const entry = (one) => {
      const item = document.createElement("button");
      item.type = "button";
      item.setAttribute("aria-pressed", String(!hidden.has(one.key)));
      item.append(swatch(one), one.name);
      item.addEventListener("click", () => {
        if (!hidden.delete(one.key)) { hidden.add(one.key); }
        item.setAttribute("aria-pressed", String(!hidden.has(one.key)));
        draw();
      });
      return item;
    };

    const draw = () => {
      const width = printing ? (box.closest(".small") ? 330 : 680) : chart.clientWidth;
      if (width === 0) { return null; } // in a card that is closed: drawn when it has a width
      drawnAt = width;
      if (slider) {
        overview = Boolean(figure.overview) && slider.valueAsNumber === 0;
        said.textContent = places()[slider.valueAsNumber];
        slider.setAttribute("aria-valuetext", said.textContent);
      }
      const focus = [...(legend?.children ?? [])].indexOf(document.activeElement);
      const { traces, layout } = shown(width);
      legend?.children[focus]?.focus();
      drawings += 1;
      const whole = {
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: "system-ui, sans-serif", size: 12, color: "var(--fig-ink)" },
        hoverlabel: { bgcolor: "var(--raised)", bordercolor: "var(--fig-muted)", font: { color: "var(--fig-ink)" } },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: "var(--fig-muted)", activecolor: "var(--fig-ink)" },
        hovermode: "closest",
        dragmode: touched ? false : "zoom", // a finger scrolls the page
        uirevision: `choice ${list?.selectedIndex}`, // what is hidden stays while the slider moves
        ...layout,
      };
      for (const axis of Object.keys(whole).filter((key) => /^[xy]axis\d*$/.test(key))) {
        const chosen = axis in zoomed ? { range: zoomed[axis], autorange: false } : {};
        whole[axis] = { ...whole[axis], ...chosen, uirevision: drawings };
      }
      chart.style.height = layout.height ? `${layout.height}px` : "";
      const drawn = window.Plotly.react(chart, inTheme(traces, figure.tables), inTheme(whole, figure.tables), {
        displaylogo: false,
        doubleClick: false, // as plotly has it, it goes back to the first picture's axes
        modeBarButtonsToRemove: ["toImage", "select2d", "lasso2d", "autoScale2d", "resetScale2d"],
        modeBarButtonsToAdd: [{ name: "Reset axes", icon: window.Plotly.Icons.home, click: reset }],
      });
      if (!heard) { listen(); }
      return drawn;
    };
    const listen = () => {
      heard = true;
      chart.on("plotly_doubleclick", reset);
      chart.on("plotly_relayout", (moved) => {
        for (const [key, value] of Object.entries(moved)) {
          const [, axis, end] = /^([xy]axis\d*)\.range(?:\[([01])\])?$/.exec(key) ?? [];
          if (axis && end === undefined) { zoomed[axis] = value; }
          if (axis && end !== undefined) { zoomed[axis] = Object.assign([...(zoomed[axis] ?? [])], { [end]: value }); }
        }
      });
    };
    const reset = () => {
      zoomed = {};
      return draw();
    };
    slider?.addEventListener("input", () => {
      if (overview || slider.valueAsNumber === 0) { zoomed = figure.overview ? {} : zoomed; }
      draw();
    });
    list?.addEventListener("change", () => {
      if (figure.overview && slider.valueAsNumber === 0) { slider.value = 1; }
      reset(); // another choice may have other axes
    });
    dark.addEventListener("change", draw);
    redraws.push(draw);
    await draw();
    new ResizeObserver(() => {
      if (chart.clientWidth !== drawnAt && !printing) { requestAnimationFrame(draw); }
    }).observe(chart);
    box.dataset.drawn = "yes";
  };

  const redraws = []; // of the charts that were begun
  const begun = new Map();
  const begin = (box) => {
    if (!begun.has(box)) { begun.set(box, start(box)); }
    return begun.get(box);
  };
  const boxes = [...document.querySelectorAll("[data-numbers]")];
  const near = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      if (isIntersecting) {
        near.unobserve(target);
        begin(target.nextElementSibling?.matches("[data-numbers]") ? target.nextElementSibling : target);
      }
    }
  }, { rootMargin: "800px" });
  // What is hidden until it is drawn has no place on the page: its figure has.
  boxes.forEach((box) => near.observe(box.hidden ? box.previousElementSibling : box));

  // Paper has them all, whether or not they were scrolled to: the others are drawn one by one.
  const idle = window.requestIdleCallback ?? ((call) => setTimeout(call, 200));
  const rest = async () => {
    for (const box of boxes) {
      await new Promise((done) => idle(done, { timeout: 300 }));
      await begin(box);
    }
    document.documentElement.dataset.drawn = "all";
  };
  if (document.readyState === "complete") { rest(); } else { window.addEventListener("load", rest); }

  const cards = () => document.querySelectorAll("details.card");
  window.addEventListener("beforeprint", () => {
    printing = true;
    cards().forEach((card) => { card.dataset.open = card.open; card.open = true; });
    redraws.forEach((draw) => draw());
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    cards().forEach((card) => { card.open = card.dataset.open === "true"; });
    redraws.forEach((draw) => draw());
  });
  // A link to a card opens it.
  const open = () => {
    const card = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (card?.matches("details.card")) { card.open = true; card.scrollIntoView(); }
  };
  window.addEventListener("hashchange", open);
  open();
})();
