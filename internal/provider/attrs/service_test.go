package attrs

import "testing"

func TestAServicesURLTakesItsHTTPPort(t *testing.T) {
	for want, ports := range map[string]map[string]int32{
		"http://api.shop.svc:80":   {"http": 80, "admin": 81},
		"http://api.shop.svc:9090": {"grpc": 9090, "web": 8080},
	} {
		if got := ServiceURL("api", "shop", ports); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
