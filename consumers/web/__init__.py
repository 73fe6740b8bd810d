"""What the service shows over HTTP: `endpoint` answers, `site` has the pages, `live` and `rolling` what they show."""
