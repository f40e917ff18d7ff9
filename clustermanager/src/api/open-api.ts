import type { Api } from './context.js';

/** Serves the OpenAPI 3.1 document of all routes registered so far at `/openapi.json`. */
export function describeOpenApi(app: Api, version: string): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'MemDB cluster manager',
      version,
      description: 'Operates a MemDB cluster. Errors are problem+json with the codes of the wire protocol.',
    },
  });
  app.get('/openapi.json', (request) => request.json(document));
}
