"""What deploy/quickstart is made of: pages to fetch, the services, the report, the checks."""
