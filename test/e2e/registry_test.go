//go:build e2e

package e2e_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// TestRegistry pulls for real: what works, and what a registry refuses.
func TestRegistry(t *testing.T) {
	t.Parallel()
	c := shared(t)
	namespace := testcluster.Shared(t).Namespace(t)
	names := map[string]string{}
	for _, as := range []string{"shop/other:1.0", "private/other:1.0", "basic/other:1.0", "forbidden/other:1.0", "limited/other:1.0", "broken/other:1.0"} {
		name, err := c.Push(t.Context(), testnode.AppImage("v2"), as)
		if err != nil {
			t.Fatal(err)
		}
		names[as] = name
	}
	auth := base64.StdEncoding.EncodeToString([]byte(testnode.RegistryUser + ":" + testnode.RegistryPassword))
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "registry"},
		Type:       corev1.SecretTypeDockerConfigJson,
		StringData: map[string]string{corev1.DockerConfigJsonKey: fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, c.Registry, auth)},
	}
	if _, err := c.Client().CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	withSecret := func(spec *corev1.PodSpec) {
		spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: secret.Name}}
	}
	for _, tc := range []struct {
		name, image string
		edit        []func(*corev1.PodSpec)
		message     string // of the failed pull
	}{
		{"public", names["shop/other:1.0"], nil, ""},
		{"secret", names["private/other:1.0"], []func(*corev1.PodSpec){withSecret}, ""},
		{"no-secret", names["private/other:1.0"], nil, "failed to fetch anonymous token: unexpected status: 401 Unauthorized"},
		{"basic-secret", names["basic/other:1.0"], []func(*corev1.PodSpec){withSecret}, ""},
		{"basic-no-secret", names["basic/other:1.0"], nil, "401 Unauthorized"},
		{"no-tag", c.Registry + "/shop/other:2.0", nil, "not found"},
		{"no-repository", c.Registry + "/shop/none:1.0", nil, "not found"},
		{"forbidden", names["forbidden/other:1.0"], nil, "403 Forbidden"},
		{"limited", names["limited/other:1.0"], nil, "429 Too Many Requests"},
		{"broken", names["broken/other:1.0"], nil, "500 Internal Server Error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			beside(t, light)
			always := func(spec *corev1.PodSpec) { spec.Containers[0].ImagePullPolicy = corev1.PullAlways }
			run(t, c, namespace, tc.name, tc.image, append(tc.edit, always)...)
			testcluster.Eventually(t, testcluster.Hang, "the pull's end", func() error {
				status, err := container(t, c, namespace, tc.name)
				switch {
				case err != nil:
					return err
				case tc.message == "" && status.State.Running != nil:
					return nil
				case tc.message != "" && status.State.Waiting != nil && status.State.Waiting.Reason == "ErrImagePull":
					if !strings.Contains(status.State.Waiting.Message, tc.message) {
						return fmt.Errorf("the message is %q", status.State.Waiting.Message)
					}
					return nil
				default:
					return fmt.Errorf("it is %+v", status.State)
				}
			})
		})
	}
}
