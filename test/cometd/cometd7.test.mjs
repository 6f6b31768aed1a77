import nodejs from 'nodejs-client1';
import library from 'cometd7';
import {declare} from './scenarios.mjs';

nodejs.adapt();
declare('cometd 7.0.13', library.CometD);
