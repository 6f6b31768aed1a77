/* The sample page is opened straight from the file system. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { assertSame } from '../harness/transcript.mjs';
import { sampleFile, sampleLibraries } from '../harness/visitor.mjs';

async function fromTheFileSystem(stage, websocket) {
    if (!existsSync(sampleLibraries)) {
        throw new Error(`The sample page has no libraries in ${sampleLibraries}. Run "npm ci" in its folder first.`);
    }
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.newVisitor('Vera');
    await vera.load(sampleFile.href, { server: `${server.base}/genesys/cometd`, subject: 'From a file', websocket });
    assert.equal(await vera.page.evaluate(() => self.origin), 'null');
    await vera.start();
    assert.equal(await vera.status(), `Connected over ${websocket ? 'websocket' : 'long-polling'}`);
    const chat = await anna.accept('Vera');
    await vera.sees('Anna joined');
    await vera.say('No server served me');
    await anna.sees('No server served me');
    await anna.say('You are welcome all the same');
    await vera.sees('You are welcome all the same');
    await vera.isSettled();

    await vera.page.reload();
    await vera.isConnected();
    await vera.sees('No server served me');
    await anna.say('Still there?');
    await vera.sees('Still there?');
    await anna.isSettled();
    await assertSame(server, vera, anna, chat);
    await vera.end();
    await vera.hasStatus('Chat ended');
    await anna.seesEnd();
}

export const fromFile = [
    { name: 'from a file: over WebSocket', run: (stage) => fromTheFileSystem(stage, true) },
    { name: 'from a file: over long-polling', run: (stage) => fromTheFileSystem(stage, false) },
];
