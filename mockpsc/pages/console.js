
(function () {
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
