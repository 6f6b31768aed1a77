package config

// meanings say what every setting and every table is for, by their paths, in
// which * is a name that people give. They are the comments of [Document]; a
// test sees to it that each setting has one.
var meanings = map[string]string{
	"listen":          "The address to serve at, as host:port; port 0 takes a free one.",
	"data":            "The directory in which everything is kept. It is made if it is missing.",
	"secure_cookies":  "Mark cookies as Secure, for a server behind a proxy that ends TLS.",
	"trusted_proxies": `Addresses and networks of proxies, such as "10.0.0.0/8", whose X-Forwarded-For header says where a request comes from.`,

	"services.*":                       "A service: one sort of chat, under the name by which clients ask for it. At least one is needed.",
	"services.*.queue":                 "The queue in which its chats wait; the one of the service's name if this is left out.",
	"services.*.origins":               `The pages that may use it besides Halley's own, such as "https://www.example.org"; "null" is pages without an origin, "*" all others.`,
	"services.*.required_fields":       `What a client must send to open a chat: "first_name", "last_name", "name" (any of the names), "email".`,
	"services.*.check_email":           "Refuse an e-mail address that cannot be one.",
	"services.*.max_message_length":    "The longest line in characters. 16 KiB are the limit besides.",
	"services.*.new_chats_per_minute":  "How many chats one network address may open in a minute; 0 is no limit.",
	"services.*.operations_per_second": "How many operations one chat may be asked for in a second, counted over five; 0 is no limit.",
	"services.*.languages":             "The languages in which visitors are told what is wrong. Whoever reads none of them gets the first.",
	"services.*.typing_preview":        "Show agents what a visitor is typing.",
	"services.*.callback_polling":      "Serve clients that can do nothing but load scripts. Pages of every origin can do that.",
	"services.*.one_chat_per_browser":  "Answer a browser that asks for a new chat with the one that it has in this service.",
	"services.*.endpoints":             "Queues that a client may choose by an endpoint: what it calls them, and which they are. Any other endpoint leads to the service's queue.",
	"services.*.hours":                 "When new chats are taken. Chats that are open go on.",
	"services.*.hours.time_zone":       `Where the hours are told, such as "Europe/Berlin".`,
	"services.*.hours.weekly":          `The spans of every week, such as "mon-fri 08:00-18:00" or "sat 22:00-02:00"; none is always.`,
	"services.*.hours.closed":          `Dates on which nothing is open, such as "2026-12-24", or "12-25" for every year.`,

	"queues.*":               "A queue: where chats wait for an agent.",
	"queues.*.members":       `The logins of those who take its chats; "*" is every account that is not in the reserve.`,
	"queues.*.reserve":       "The logins of those who take a chat only when no member could for a while.",
	"queues.*.reserve_after": `How long that while is, up to "1h".`,
	"queues.*.offer_time":    `How long an agent has for an answer, from "100ms" to "10m".`,
}
