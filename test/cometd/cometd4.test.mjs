import nodejs from 'nodejs-client1';
import library from 'cometd4';
import {open} from '../bayeuxjs/page.mjs';
import {declare} from './scenarios.mjs';

open(nodejs.adapt);
declare('cometd 4.0.9', library.CometD);
