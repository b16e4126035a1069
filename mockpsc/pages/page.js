
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

	// The console's list of requests grows by itself.
	var log = document.querySelector("[data-log]");
	if (log) {
		var part = function (name, text) {
			var e = document.createElement("span");
			e.className = name;
			e.textContent = text;
			return e;
		};
		var two = function (n) { return (n < 10 ? "0" : "") + n; };
		var more = function () {
			fetch(log.dataset.log + log.dataset.latest, { cache: "no-store" }).then(function (r) { return r.ok ? r.json() : []; }).then(function (list) {
				list.forEach(function (q) {
					var li = document.createElement("li"), a = document.createElement("a"), at = new Date(q.time);
					a.href = "/_mock/requests/" + q.id;
					a.append(part("when", two(at.getHours()) + ":" + two(at.getMinutes()) + ":" + two(at.getSeconds())), " ", part("what-was", q.method + " " + q.path));
					li.append(a, " ", part("status-code" + (q.status >= 400 ? " bad" : ""), q.status));
					if (q.client) li.append(" ", part("of", q.client));
					if (q.faults.length) li.append(" ", part("badge", log.dataset.faults + " " + q.faults.join(", ")));
					var failing = 0;
					q.tokens.forEach(function (t) { t.checks.forEach(function (c) { failing += c.ok ? 0 : 1; }); });
					if (failing) li.append(" ", part("badge", log.dataset.failing + " " + failing));
					if (q.rule) {
						var rule = part("rule", q.rule);
						rule.lang = "en";
						li.append(" ", rule);
					}
					log.prepend(li);
					log.dataset.latest = q.id;
				});
				if (list.length) document.querySelector("[data-empty]").hidden = true;
				while (log.children.length > 50) log.lastElementChild.remove();
				setTimeout(more, 1500);
			}).catch(function () { setTimeout(more, 5000); });
		};
		setTimeout(more, 1500);
	}
})();
