import nodejs from 'nodejs-client1';
import library from 'cometd4';
import {declare} from './scenarios.mjs';

nodejs.adapt();
declare('cometd 4.0.9', library.CometD);
