
"use strict";
// Everything works without this script; with it the waiting page follows the phone.
(function () {
	var panel = document.querySelector("[data-panel]");
	if (panel && !matchMedia("(min-width: 62rem)").matches) panel.open = false;

	var poll = document.querySelector("[data-poll]");
	if (poll && poll.dataset.poll) {
		var ask = function () {
			fetch(poll.dataset.poll, { cache: "no-store" }).then(function (r) { return r.json(); }).then(function (d) {
				if (d.state === poll.dataset.state) return setTimeout(ask, 1000);
				if (d.next) return location.replace(d.next);
				poll.dataset.state = d.state;
				(poll.querySelector("[data-text]") || poll).textContent = d.text;
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
