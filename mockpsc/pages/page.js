
"use strict";
// Everything works without this script; with it the waiting page follows the phone.
(function () {
	var panel = document.querySelector("[data-panel]");
	if (panel && !matchMedia("(min-width: 62rem)").matches) panel.open = false;

	var phone = document.querySelector(".telephone details"); // where there is room for both
	if (phone && matchMedia("(min-width: 94rem)").matches) phone.open = true;

	var frame = document.getElementById("telephone"), leaving = false;
	addEventListener("submit", function () { leaving = true; });
	addEventListener("pageshow", function () { leaving = false; });

	var poll = document.querySelector("[data-poll]");
	if (poll && poll.dataset.poll) {
		var ask = function () {
			fetch(poll.dataset.poll, { cache: "no-store" }).then(function (r) { return r.json(); }).then(function (d) {
				if (d.state === poll.dataset.state) return setTimeout(ask, 1000);
				if (leaving) return setTimeout(ask, 3000);
				poll.dataset.state = d.state;
				poll.classList.add(d.state);
				var text = poll.querySelector("[data-text]") || poll;
				text.textContent = d.text;
				if (d.next) {
					if (d.state === "approved" && poll.dataset.go) { // should the application be slow
						var go = document.createElement("a");
						go.href = d.next;
						go.textContent = poll.dataset.go;
						text.append(" ", go);
					}
					// Whoever is at the phone stays there.
					if (frame && document.activeElement === frame && d.state === "scanned") d.next += "#telephone";
					return location.replace(d.next);
				}
				document.querySelectorAll("[data-open]").forEach(function (e) { e.hidden = true; });
			}).catch(function () { setTimeout(ask, 3000); });
		};
		setTimeout(ask, 1000);
	}

	var left = document.querySelector("[data-seconds]");
	if (left) {
		var end = Date.now() + left.dataset.seconds * 1000;
		var spoken = document.createElement("span");
		spoken.className = "hidden";
		spoken.setAttribute("role", "status");
		left.parentNode.appendChild(spoken);
		var tick = function () {
			var s = Math.max(0, Math.round((end - Date.now()) / 1000));
			left.textContent = left.dataset.words.replace("{min}", Math.floor(s / 60)).replace("{s}", s % 60);
			if (s % 30 === 0 && s < left.dataset.seconds) spoken.textContent = left.textContent;
			if (s > 0) setTimeout(tick, 1000);
		};
		setTimeout(tick, 1000);
	}
})();
