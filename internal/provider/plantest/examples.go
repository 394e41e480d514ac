package plantest

import (
	"maps"
)

// Deployment is a deployment; with changes on top.
func Deployment(changes ...Obj) Obj {
	config := Obj{
		"application": "api",
		"namespace":   "shop",
		"image":       "ghcr.io/acme/api:1.4.0",
		"container": Obj{
			"ports":           Obj{"http": 8080, "admin": 9090},
			"env":             Obj{"LOG_LEVEL": "info"},
			"resources":       Obj{"requests": Obj{"cpu": "0.5"}, "limits": Obj{"memory": "1Gi"}},
			"readiness_probe": Obj{"http_get": Obj{"path": "/readyz", "port": "http"}},
		},
	}
	for _, c := range changes {
		maps.Copy(config, c)
	}
	return config
}

// Deployed is what fills a plan's unknown values.
var Deployed = Obj{"owner": "token-1", "status": "started", "created_at": "2026-01-01T00:00:00Z", "created_by": "ci", "durations": Obj{"total": 4, "startup": 3, "queue": nil, "build": nil, "image_pull": nil, "clusters": nil}}

// Main is a main deployment of that application; with changes on top.
func Main(changes ...Obj) Obj {
	config := Obj{
		"application":   "api",
		"namespace":     "shop",
		"deployment_id": "shop/api-7f3c9a1e",
		"traffic":       Obj{"service": Obj{"ports": Obj{"http": 80, "admin": 81}}},
	}
	for _, c := range changes {
		maps.Copy(config, c)
	}
	return config
}

// Promoted is what fills the plan of a main deployment.
var Promoted = Obj{
	"owner": "token-1", "status": "finalized", "promoted_at": "2026-01-01T00:00:00Z",
	"previous_deployment_id": "shop/api-0b8e4d27", "split": Obj{"prod": Obj{"api-7f3c9a1e": 100}},
}
