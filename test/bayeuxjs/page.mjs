// What a browser's page gives to the library, as far as Node and cometd-nodejs-client do not.
import http from 'node:http';

/** Cookies by port: every proxy of the tests is a browser of its own. */
const jars = new Map();

function jar(url) {
    if (!jars.has(url.port)) {
        jars.set(url.port, new Map());
    }
    return jars.get(url.port);
}

function keep(url, header) {
    const [pair] = header.split(';');
    jar(url).set(pair.slice(0, pair.indexOf('=')).trim(), pair.trim());
}

const cookies = {
    storeCookie(url, header, done) {
        keep(url, header);
        done();
    },
    retrieveCookies(context, url, done) {
        done(null, [...jar(url).values()]);
    },
};

/** Prepares the globals; adapt is that of cometd-nodejs-client. */
export function open(adapt) {
    adapt({cookies});
    const storage = new Map();
    window.sessionStorage = {
        getItem: (key) => storage.get(key) ?? null,
        setItem: (key, value) => storage.set(key, String(value)),
        removeItem: (key) => storage.delete(key),
    };
    // The library tells of every fault that the tests bring about.
    window.console = process.env.BAYEUX_DEBUG ? console : {};
    // Up to version 7 the library asks for the global document, from version 8 on for the window's.
    window.document = globalThis.document = {
        getElementsByTagName: () => [{appendChild: load, removeChild() {}}],
        createElement: () => ({}),
    };
}

const agent = new http.Agent({keepAlive: true});

/**
 * Loads and runs a script of callback-polling as a browser does: with cookies, only if it says that
 * it is JavaScript, and only if it is complete.
 */
function load(script) {
    const url = new URL(script.src);
    const name = url.searchParams.get('jsonp');
    // Several clients in one process would use the same names; so each script sees its own function.
    const callback = window[name];
    const fail = () => script.onerror({type: 'error'});
    const request = http.get(url, {agent, headers: {Cookie: [...jar(url).values()].join('; ')}}, (response) => {
        (response.headers['set-cookie'] ?? []).forEach((header) => keep(url, header));
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
            text += chunk;
        });
        response.on('error', () => {});
        response.on('close', () => {
            if (!response.complete || response.statusCode !== 200 || !/^text\/javascript\b/.test(response.headers['content-type'])) {
                fail();
                return;
            }
            new Function(name, text)(callback);
        });
    });
    request.on('error', fail);
}
