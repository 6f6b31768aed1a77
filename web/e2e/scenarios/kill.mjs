/* The server is killed while both sides write, and started again at once. */
import assert from 'node:assert/strict';
import { assertOnce, assertSame, saidIn, transcript } from '../harness/transcript.mjs';
import { until } from '../harness/until.mjs';

const ROUNDS = 3;

// New lines on either side that tell that the chat flows.
const FLOW = 8;
const BACK = 120_000;

/* Writes numbered lines as fast as the page takes them, until it is told to stop; every one is in texts. */
function writer(who, prefix) {
    const texts = [];
    let going = true;
    let failure;
    const done = (async () => {
        while (going) {
            const text = `${prefix} line ${texts.length + 1}`;
            texts.push(text);
            await who.say(text);
        }
    })().catch((error) => (failure = error));
    return {
        texts,
        stop: async () => {
            going = false;
            await done;
            if (failure) throw failure;
        },
    };
}

async function killed(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera');
    const chat = await anna.accept('Vera');
    const texts = [];
    const acknowledged = [];
    const lines = async () => [await vera.said(), await anna.said()];
    const fresh = (line) => !acknowledged.some((old) => old.index === line.index);
    for (let round = 1; round <= ROUNDS; round++) {
        const writers = [writer(vera, `visitor ${round}`), writer(anna, `agent ${round}`)];
        try {
            const flowing = async () => (await lines()).every((one) => one.filter(fresh).length >= FLOW);
            await until('lines flow both ways', flowing);
            await server.kill();
            // Nothing arrives any more, so this is all that anybody saw before the server died.
            acknowledged.push(...(await lines()).flat());
            await server.run();
            await until('lines flow both ways again', flowing, { timeout: BACK });
        } finally {
            await Promise.all(writers.map((one) => one.stop()));
        }
        texts.push(...writers.flatMap((one) => one.texts));
        await vera.isSettled({ timeout: BACK });
        await anna.isSettled({ timeout: BACK });
        acknowledged.push(...(await lines()).flat());
    }

    await until(
        'both have the same number of lines',
        async () => (await vera.said()).length === (await anna.said()).length,
    );
    const [seen, shown] = [await vera.said(), await anna.said()];
    assertOnce(seen, texts, 'Vera');
    assertOnce(shown, texts, 'anna');
    assert.equal(seen.length, texts.length, 'nothing but what was written');
    for (const line of acknowledged) {
        const kept = seen.find((one) => one.index === line.index);
        assert.deepEqual(kept, line, 'an acknowledged line keeps its place');
    }
    assert.equal(await anna.part('problem').count(), 0);
    await assertSame(server, vera, anna, chat);

    // What the database holds shows after a clean stop, in the answer of another process.
    assert.equal(await server.stop(), 0, 'the exit code within ten seconds of SIGTERM');
    await server.run();
    assert.deepEqual(saidIn(await transcript(server, anna, chat)), seen, 'the database');
    assert.deepEqual(await anna.said(), seen);
    assert.deepEqual(await vera.said(), seen);
}

export const kill = [{ name: 'kill: the server is killed while both sides write', run: killed }];
