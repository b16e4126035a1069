history.replaceState(null,"",JSON.parse(document.getElementById("elsewhere").textContent));
