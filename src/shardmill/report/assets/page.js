
"use strict";
// Values under the pointer, and under the arrow keys when a plot has the focus. Without this script the page lacks nothing else.
(() => {
  const tip = document.getElementById("tip");
  let near = null;

  const hide = () => {
    if (near) near.classList.remove("near");
    near = null;
    tip.hidden = true;
  };
  const show = (mark) => {
    if (mark === near) return;
    hide();
    near = mark;
    mark.classList.add("near");
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    place();
  };
  const place = () => {
    if (!near) return;
    const box = near.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const left = box.left + box.width / 2 - own.width / 2;
    const above = box.top - own.height - 10;
    tip.style.left = `${Math.max(8, Math.min(left, document.documentElement.clientWidth - own.width - 8))}px`;
    tip.style.top = `${above < 8 ? box.bottom + 10 : above}px`;
  };
  const distance = (mark, x, y) => {
    const box = mark.getBoundingClientRect();
    const dx = Math.max(box.left - x, 0, x - box.right);
    const dy = Math.max(box.top - y, 0, y - box.bottom);
    const middle = Math.hypot(box.left + box.width / 2 - x, box.top + box.height / 2 - y);
    return Math.hypot(dx, dy) + middle / 1000;
  };

  for (const plot of document.querySelectorAll("svg.plot")) {
    const marks = [...plot.querySelectorAll("[data-tip]")];
    if (!marks.length) continue;
    const seek = (event) => {
      let best = null;
      let least = 22;
      for (const mark of marks) {
        const away = distance(mark, event.clientX, event.clientY);
        if (away < least) [best, least] = [mark, away];
      }
      if (best) show(best);
      else hide();
    };
    plot.addEventListener("pointermove", seek);
    plot.addEventListener("pointerdown", seek);
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      const place = marks.indexOf(near);
      show(marks[(place < 0 ? (step > 0 ? 0 : -1) + marks.length : place + step + marks.length) % marks.length]);
    });
  }
  addEventListener("scroll", place, { passive: true });
})();
