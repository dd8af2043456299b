// RFC 4825 clause 8 and 8.1: server behavior, and POST.
import { vectorsOf } from './vectors.ts';
import { xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('8', server);
