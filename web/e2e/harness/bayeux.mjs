/* A small Bayeux client over long-polling, for reading transcripts and for visitors without a page. */
import { randomUUID } from 'node:crypto';
import { until } from './until.mjs';

export class Bayeux {
    #url;
    #channel;
    #cookies;
    #clientId;
    #next = 0;
    #over = new AbortController();
    #loop;
    #failure;
    /** The data of everything that was delivered on the channel, oldest first. */
    delivered = [];

    /** Connects to a server and hears one service channel. cookies: a Map that is sent and kept up to date. */
    static async open(url, channel, cookies = new Map()) {
        const bayeux = new Bayeux();
        bayeux.#url = url;
        bayeux.#channel = channel;
        bayeux.#cookies = cookies;
        const [reply] = await bayeux.#post([
            { channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['long-polling'] },
        ]);
        if (!reply?.successful) throw new Error(`The handshake failed: ${JSON.stringify(reply)}`);
        bayeux.#clientId = reply.clientId;
        bayeux.#loop = bayeux.#connect();
        return bayeux;
    }

    /** Publishes, several at once if there are, and throws if the server does not take one. */
    async publish(...all) {
        const messages = all.map((data) => ({ channel: this.#channel, clientId: this.#clientId, data }));
        const replies = await this.#post(messages);
        const taken = replies.filter((one) => one.channel === this.#channel && one.successful);
        if (taken.length !== all.length) throw new Error(`The publish was refused: ${JSON.stringify(replies)}`);
    }

    /** The first delivery that a rule accepts, as soon as it is there. */
    first(what, rule) {
        return until(what, () => {
            if (this.#failure) throw this.#failure;
            return this.delivered.find(rule);
        });
    }

    async close() {
        this.#over.abort();
        await this.#loop;
        await this.#post([{ channel: '/meta/disconnect', clientId: this.#clientId }], null);
    }

    async #connect() {
        const connect = { channel: '/meta/connect', clientId: this.#clientId, connectionType: 'long-polling' };
        try {
            while (!this.#over.signal.aborted) {
                const replies = await this.#post([connect]);
                const reply = replies.find((one) => one.channel === connect.channel);
                if (!reply?.successful) throw new Error(`The connection is refused: ${JSON.stringify(reply)}`);
            }
        } catch (error) {
            if (!this.#over.signal.aborted) this.#failure = error;
        }
    }

    async #post(messages, signal = this.#over.signal) {
        const response = await fetch(this.#url, {
            method: 'POST',
            headers: {
                'Content-Type': 'application/json',
                Cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '),
            },
            body: JSON.stringify(messages.map((message) => ({ ...message, id: String(++this.#next) }))),
            signal,
        });
        if (!response.ok) throw new Error(`${this.#url} answers ${response.status}: ${await response.text()}`);
        keepCookies(response, this.#cookies);
        const replies = await response.json();
        for (const one of replies) {
            if (one.channel === this.#channel && one.data && !('successful' in one)) this.delivered.push(one.data);
        }
        return replies;
    }
}

/** Starts a chat as a visitor without a page; opening is what requestChat takes besides the operation. */
export async function openVisitor(base, service, opening) {
    const bayeux = await Bayeux.open(`${base}/genesys/cometd`, `/service/chatV2/${service}`);
    await bayeux.publish({ operation: 'requestChat', text: '', ...opening });
    const { secureKey } = await bayeux.first('the chat', (one) => one.statusCode === 0 && one.secureKey);
    return {
        say: (message) => bayeux.publish({ operation: 'sendMessage', secureKey, message }),
        types: (message) => bayeux.publish({ operation: 'startTyping', secureKey, message }),
        close: () => bayeux.close(),
    };
}

/** Connects to the desk API with the cookie of somebody who is signed in, and resumes as every desk does first. */
export async function openDesk(base, cookie) {
    const desk = await Bayeux.open(`${base}/desk/cometd`, '/service/desk', new Map([['HALLEY_DESK', cookie]]));
    await command(desk, { op: 'resume' }, 'resumed');
    return desk;
}

/** Gives the desk API a command and returns its answer, which throws if it is a refusal. */
export async function command(desk, order, answers = 'reply') {
    const id = randomUUID();
    await desk.publish({ ...order, id });
    const answer = await desk.first(
        `the answer to ${order.op}`,
        (one) => one.id === id && (one.type === answers || (one.type === 'reply' && !one.ok)),
    );
    if (answer.type === 'reply' && !answer.ok) {
        throw new Error(`${order.op} was refused: ${JSON.stringify(answer.error)}`);
    }
    return answer;
}

function keepCookies(response, cookies) {
    for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (name) cookies.set(name, value);
    }
}
