"use strict";
// No request leaves this host: the validator is off, and the schema is served here.
SwaggerUIBundle({
  url: "schema", // relative to /docs, which may be below a prefix
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
