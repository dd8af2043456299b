// The management API: health and metrics for machines, `/api/v1` for operators behind a bearer token.
// The token travels in a header only, which a foreign web page cannot make a browser send.
import express, { type Express } from 'express';
import { Refusal } from '../refusals.ts';
import { auditRoutes } from './audit-routes.ts';
import { groupRoutes } from './group-routes.ts';
import type { ManagementContext } from './management-context.ts';
import type { Metrics } from './metrics.ts';
import { openApiDocument } from './openapi.ts';
import { operations } from './operations.ts';
import { authorised, checkReach, type OperatorToken } from './operators.ts';
import { overlayRoutes } from './overlay-routes.ts';
import { deliveryRoutes, partnerRoutes } from './partner-routes.ts';
import { policyRoutes } from './policy-routes.ts';
import { type ManagementLog, otherMethods, problemAnswers } from './problem-answer.ts';
import { provenanceRoutes } from './provenance-routes.ts';
import { bodyHandlers } from './request-body.ts';
import { checkQuery } from './request-values.ts';

export interface ManagementApiOptions extends ManagementContext {
  /** Who may act, as configured now. */
  readonly operators: () => readonly OperatorToken[];
  /** Largest group document accepted, bytes. */
  readonly documentBytes: number;
  readonly metrics: Metrics;
  /** Of the gateway, for the OpenAPI document. */
  readonly version: string;
  /** Why requests should go elsewhere now; undefined when all faces accept. */
  readonly notReady: () => string | undefined;
  readonly log: ManagementLog;
}

/** The application that answers management requests. */
export function managementApi(options: ManagementApiOptions): Express {
  const { metrics, notReady, operators, log } = options;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  // RFC 3986 6.2.2.1: paths are compared letter by letter
  app.set('case sensitive routing', true);
  app.use((_request, response, next) => {
    response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
    next();
  });
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' });
  });
  app.get('/readyz', (_request, response) => {
    const reason = notReady();
    response
      .status(reason === undefined ? 200 : 503)
      .json(reason === undefined ? { status: 'ready' } : { status: reason });
  });
  app.get('/metrics', async (_request, response) => {
    response.set('Content-Type', metrics.contentType).send(await metrics.expose());
  });
  app.all(['/healthz', '/readyz', '/metrics'], otherMethods('GET', 'HEAD'));
  app.use('/api/v1', authorised(operators), api(options));
  app.use(() => {
    throw new Refusal('not-found');
  });
  app.use(problemAnswers(log));
  return app;
}

/** The routers of `/api/v1` by the path that each begins with; every route of theirs is in the table of operations. */
export function managementRouters(options: ManagementApiOptions): Readonly<Record<string, express.Router>> {
  return {
    '/groups': groupRoutes(options, options.documentBytes),
    '/partners': partnerRoutes(options),
    '/deliveries': deliveryRoutes(options),
    '/journal': auditRoutes(options),
    '/overlays': overlayRoutes(options),
    '/policies': policyRoutes(options),
    '/provenance': provenanceRoutes(options),
    '/': listingRoutes(options),
  };
}

function api(options: ManagementApiOptions): express.Router {
  const router = express.Router({ caseSensitive: true });
  for (const operation of operations) {
    const known = Object.keys(operation.query ?? {});
    router[operation.method](
      operation.path.replace(/\{(\w+)\}/g, ':$1'),
      (request, response, next) => {
        checkReach(operation, request, response);
        // What cannot be understood shall not widen what is listed.
        checkQuery(request, known);
        next();
      },
      ...bodyHandlers(operation),
    );
  }
  for (const [path, routes] of Object.entries(managementRouters(options))) router.use(path, routes);
  return router;
}

function listingRoutes({ subscriptions, version }: ManagementApiOptions): express.Router {
  const router = express.Router({ strict: true, caseSensitive: true });
  const description = openApiDocument(version);
  router.get('/openapi.json', (_request, response) => {
    response.json(description);
  });
  router.get('/subscriptions', (_request, response) => {
    response.json({ subscriptions: subscriptions() });
  });
  router.all(['/openapi.json', '/subscriptions'], otherMethods('GET', 'HEAD'));
  return router;
}
