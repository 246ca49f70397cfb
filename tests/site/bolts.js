// The list is not in the page: it is fetched and drawn.
fetch("/bolts.json")
  .then((answer) => answer.json())
  .then((bolts) => {
    const list = document.getElementById("bolts");
    for (const bolt of bolts) {
      const item = document.createElement("li");
      item.className = "bolt";
      item.dataset.sku = bolt.sku;
      item.innerHTML = `<b class="name"></b> <span class="length">${bolt.length_mm} mm</span> <span class="class">${bolt.class}</span> <span class="price">${bolt.price_eur.toFixed(2)} €</span>`;
      item.querySelector("b").textContent = `Bolt ${bolt.thread}`;
      list.append(item);
    }
    document.getElementById("state").textContent = `${bolts.length} bolts`;
  });
