"use strict";
// Elements, texts and numbers. What a game or a model wrote gets into the page by text nodes and attributes of our own
// choice alone: there is no innerHTML here.

const data = JSON.parse(document.getElementById("data").textContent);

// An element with attributes and children. A child that is no element is a text; null is left out.
function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// Says something to whoever listens to the page.
function announce(text) {
  document.getElementById("announcement").textContent = text;
}

// A number as people read it. Units: share, seconds, bytes, count, number.
function shown(value, unit) {
  if (value === null || value === undefined) return "–";
  switch (unit) {
    case "share": return `${(value * 100).toFixed(1)} %`;
    case "seconds": return `${value.toFixed(value < 100 ? 1 : 0)} s`;
    case "bytes": return `${(value / 2 ** 30).toFixed(2)} GiB`;
    case "count": return Math.round(value).toLocaleString("en");
  }
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size > 0 && size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(size < 10 ? 3 : 4)));
}

// A command with a button that copies it.
function command(text) {
  const button = element("button", { type: "button", class: "quiet", "aria-label": `Copy: ${text}`, click: copy }, "Copy");
  function copy() {
    const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
    navigator.clipboard?.writeText(text).then(done, () => select(code));
    if (!navigator.clipboard) select(code);
  }
  const code = element("code", {}, text);
  return element("div", { class: "command" }, code, button);
}

function select(node) {
  getSelection().selectAllChildren(node);
}
