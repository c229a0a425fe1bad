// Opens groups of examples, and finds rows of long tables. Without it the page says the same, but for the groups.
"use strict";
document.documentElement.classList.add("scripted");

const panel = document.getElementById("panel");
if (panel) {
  const gallery = document.getElementById("gallery").content;
  const figures = gallery.querySelector(".examples").children;
  const groups = new Map([...gallery.querySelectorAll("[data-key]")].map((group) => [group.dataset.key, group]));
  const [title, note, shown] = ["title", "note", "examples"].map((name) => document.getElementById(`panel-${name}`));

  const open = (group) => {
    const places = group.dataset.places.split(" ").filter(Boolean);
    title.textContent = group.textContent;
    note.hidden = Number(group.dataset.of) <= places.length;
    note.textContent = `${places.length} of ${Number(group.dataset.of).toLocaleString("en")} are shown.`;
    shown.replaceChildren(...places.map((place) => figures[place].cloneNode(true)));
    panel.showModal();
    shown.scrollTop = 0;
  };

  for (const control of document.querySelectorAll("[data-group]")) {
    control.disabled = !groups.has(control.dataset.group);
  }
  document.addEventListener("click", (event) => {
    const control = event.target.closest("[data-group]");
    if (control && groups.has(control.dataset.group)) open(groups.get(control.dataset.group));
  });
  document.getElementById("panel-close").addEventListener("click", () => panel.close());
  panel.addEventListener("click", (event) => event.target === panel && panel.close()); // beside it
}

for (const field of document.querySelectorAll("[data-finds]")) {
  const rows = [...document.getElementById(field.dataset.finds).querySelectorAll("tbody tr")];
  const words = rows.map((row) => row.textContent.toLowerCase());
  const count = field.parentElement.querySelector("[role=status]");
  field.parentElement.hidden = false;
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    const found = rows.filter((row, i) => !(row.hidden = !words[i].includes(wanted))).length;
    count.textContent = wanted ? `${found} of ${rows.length} rows` : "";
  });
}
