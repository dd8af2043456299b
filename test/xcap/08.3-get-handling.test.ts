// RFC 4825 clause 8.3: GET handling.
import { vectorsOf } from './vectors.ts';
import { xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('8.3', server);
