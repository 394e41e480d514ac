package provider_test

import "testing"

// TestAccVolumes: volumes that are more than a plain source are applied, are no drift, come
// back by an import, and are part of the content. The control plane has no driver and no
// storage, and its pods run all the same where they need none.
func TestAccVolumes(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(seconds string) string {
		return l.config(l.deployment(createFirst, `container = {
    ports         = { http = 8080 }
    volume_mounts = { "/all" = { volume = "all", read_only = true }, "/keys" = { volume = "keys" } }
  }
  volumes = {
    all = { projected = { sources = [
      { config_map = { name = "settings", optional = true, items = { a = "a.txt" } } },
      { secret = { name = "keys", optional = true } },
      { downward_api = { items = { labels = "metadata.labels", memory = "limits.memory" } } },
      { service_account_token = { path = "token", audience = "vault", expiration_seconds = `+seconds+` } },
    ] } }
    keys = { csi = { driver = "secrets-store.csi.k8s.io", read_only = true, volume_attributes = { secretProviderClass = "web" }, node_publish_secret_ref = { name = "creds" } } }
  }
`))
	}
	w.apply(config("7200"))
	w.wantNoChanges()
	first, _ := w.attributes(theDeployment)
	l.wantImported(w, config("7200"))
	w.apply(config("7201"))
	if second, _ := w.attributes(theDeployment); second["id"] == first["id"] {
		t.Error("another lifetime of a token is the same version")
	}
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// TestAccClaimOfPod: a claim that is made for each pod is applied, is no drift, and comes
// back by an import. Nothing provides storage here, so that the pods are not waited for.
func TestAccClaimOfPod(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(storage, state string) string {
		return l.config(l.deployment(createFirst, state, `container = { ports = { http = 8080 }, volume_mounts = { "/tmp" = { volume = "tmp" } } }
  volumes = { tmp = { ephemeral = { storage = "`+storage+`", access_modes = ["ReadWriteOnce"], labels = { team = "shop" } } } }
`))
	}
	const off = `desired_state = "stopped"`
	w.apply(config("1Gi", off))
	w.wantNoChanges()
	first, _ := w.attributes(theDeployment)
	claim := l.workload(first["name"].(string)).Spec.Template.Spec.Volumes[0].Ephemeral.VolumeClaimTemplate
	if claim.Labels["team"] != "shop" || claim.Spec.Resources.Requests.Storage().String() != "1Gi" {
		t.Errorf("the claim is %+v", claim)
	}
	l.wantImported(w, config("1Gi", off))
	w.apply(config("1024Mi", off)).wantActions()
	w.apply(config("2Gi", off))
	if second, _ := w.attributes(theDeployment); second["id"] == first["id"] {
		t.Error("another size is the same version")
	}
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}
