// Runs in a world of its own beside the page's scripts: it sees the document, and they do not see it. What the document says is the page's own words all the same.
// op: what is asked; a: its arguments; most: characters that may come back.
function (op, a, most) {
  "use strict";
  const line = (text) => (text || "").replace(/\s+/g, " ").trim();
  const path = (element) => {
    const parts = [];
    for (let at = element; at && at.nodeType === 1; at = at.parentElement) {
      const tag = CSS.escape(at.localName);
      const parent = at.parentElement;
      if (!parent) { parts.push(tag); break; }
      let place = 1;
      for (let before = at.previousElementSibling; before; before = before.previousElementSibling) place += 1;
      parts.push(`${tag}:nth-child(${place})`);
    }
    return parts.reverse().join(" > ");
  };
  let left = most;
  const take = (text) => {
    left -= text.length;
    if (left < 0) throw new RangeError("too much");
    return text;
  };
  const shown = (element) => take(line("innerText" in element ? element.innerText : element.textContent));
  const element = (one) => ({
    path: take(path(one)),
    tag: take(one.localName),
    text: shown(one),
    attributes: Array.from(one.attributes, (each) => [take(each.name), take(each.value)]),
  });
  const span = (cell, name) => Math.min(Math.max(parseInt(cell.getAttribute(name), 10) || 1, 1), 1000);
  const table = (one) => {
    const rows = [];
    const filled = [];
    Array.from(one.rows).forEach((row, y) => {
      rows[y] = rows[y] || [];
      let x = 0;
      for (const cell of row.cells) {
        while (filled[y] && filled[y][x]) x += 1;
        const text = shown(cell);
        const down = Math.min(span(cell, "rowspan"), one.rows.length - y);
        const across = span(cell, "colspan");
        for (let i = 0; i < down; i += 1) {
          for (let j = 0; j < across; j += 1) {
            rows[y + i] = rows[y + i] || [];
            filled[y + i] = filled[y + i] || [];
            filled[y + i][x + j] = true;
            rows[y + i][x + j] = i + j > 0 ? take(text) : text;
          }
        }
        x += across;
      }
    });
    return {
      path: take(path(one)),
      caption: one.caption ? shown(one.caption) : "",
      rows: rows.map((row) => Array.from(row, (text) => text || "")),
    };
  };
  const roots = (top) => {
    const found = [];
    const all = [top];
    while (all.length > 0) {
      for (const one of all.pop().querySelectorAll("*")) {
        if (one.shadowRoot) { found.push(one.shadowRoot); all.push(one.shadowRoot); }
      }
    }
    return found;
  };
  const html = () => {
    const doctype = document.doctype ? new XMLSerializer().serializeToString(document.doctype) + "\n" : "";
    const root = document.documentElement;
    if (!root) return doctype;
    const shadows = roots(document);
    if (shadows.length === 0 || !root.getHTML) return take(doctype + root.outerHTML);
    const shell = root.cloneNode(false).outerHTML;
    const end = shell.lastIndexOf("</");
    return take(doctype + shell.slice(0, end) + root.getHTML({ shadowRoots: shadows }) + shell.slice(end));
  };
  const areas = () => {
    const all = [];
    for (const one of document.querySelectorAll("*")) {
      if (all.length >= 20000) break;
      const box = one.getBoundingClientRect();
      if (box.width > 0 && box.height > 0) {
        const at = [box.left + scrollX, box.top + scrollY, box.width, box.height].map(Math.round);
        all.push([path(one), ...at]);
      }
    }
    return all;
  };
  const first = () => {
    const found = document.querySelector(a.selector);
    if (!found) throw new ReferenceError("none");
    return found;
  };
  const ops = {
    url: () => take(location.href),
    text: () => take(document.body ? document.body.innerText : ""),
    html,
    title: () => line(document.title).slice(0, 300),
    query: () => {
      const found = [];
      for (const one of document.querySelectorAll(a.selector)) {
        if (found.length >= a.limit) break;
        found.push(element(one));
      }
      return found;
    },
    has: () => document.querySelector(a.selector) !== null,
    links: () => Array.from(document.querySelectorAll("a[href], area[href]"), (one) => ({
      url: take(one.href.split("#")[0]),
      text: shown(one),
      path: take(path(one)),
      rel: take(one.rel || ""),
    })),
    tables: () => Array.from(document.querySelectorAll("table"), table),
    place: () => {
      const one = first();
      one.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
      const box = one.getBoundingClientRect();
      const x = box.left + box.width / 2;
      const y = box.top + box.height / 2;
      const hit = document.elementFromPoint(x, y);
      return { x, y, seen: box.width > 0 && box.height > 0, hit: hit !== null && (one.contains(hit) || hit.contains(one)) };
    },
    fill: () => {
      const one = first();
      if (one instanceof HTMLSelectElement) {
        const option = Array.from(one.options).find((each) => each.value === a.value || line(each.text) === a.value);
        if (!option) throw new ReferenceError("none");
        option.selected = true;
      } else if (one instanceof HTMLInputElement || one instanceof HTMLTextAreaElement) {
        if (one.type === "file") throw new TypeError("field");
        if (one.type === "checkbox" || one.type === "radio") {
          one.checked = a.value === "true" || a.value === "on";
        } else {
          const kind = one instanceof HTMLInputElement ? HTMLInputElement : HTMLTextAreaElement;
          if (a.secret) one.style.setProperty("-webkit-text-security", "disc", "important");
          Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(one, a.value);
        }
      } else {
        throw new TypeError("field");
      }
      one.dispatchEvent(new Event("input", { bubbles: true }));
      one.dispatchEvent(new Event("change", { bubbles: true }));
      return true;
    },
    scroll: () => {
      const before = scrollY;
      scrollBy({ top: innerHeight, behavior: "instant" });
      return scrollY > before;
    },
    snapshot: () => ({ url: take(location.href), html: html(), left: scrollX, top: scrollY }),
    areas,
    back: () => {
      scrollTo({ left: a.left, top: a.top, behavior: "instant" });
      return true;
    },
  };
  try {
    return { is: ops[op]() };
  } catch (error) {
    if (error instanceof RangeError) return { not: "much" };
    if (error instanceof ReferenceError) return { not: "none" };
    if (error instanceof TypeError && error.message === "field") return { not: "field" };
    if (error instanceof DOMException && error.name === "SyntaxError") return { not: "selector" };
    return { not: "error", why: String(error && error.message).slice(0, 200) };
  }
}
