package terminal

import (
	"regexp"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// guardJob is what a Job needs that guards an application from inside its cluster.
type guardJob struct {
	printed        bool
	image, account string
}

func (j *guardJob) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&j.printed, "print-job", false, "Print the manifest of a Job that guards it in its cluster, and do nothing else. No cluster is asked.")
	cmd.Flags().StringVar(&j.image, "image", "", "Image of that Job, with this program as its entry point. Left out, the one that is published with this program's version.")
	cmd.Flags().StringVar(&j.account, "service-account", "", "Service account of that Job. It needs the roles of a promotion.")
}

// guardKept is how long a Job is kept after its end, for who looks at its log.
const guardKept = int32(24 * 60 * 60)

// published is the image of a release, less its version. .goreleaser.yml publishes it.
const published = "ghcr.io/switchback-dev/kubectl-switchback:"

// released is what the version of a release looks like. Every other is that of a build, of
// which no image is published.
var released = regexp.MustCompile(`^\d+\.\d+\.\d+(-(alpha|beta|rc)[.\d]*)?$`)

// imageFor is the image of a Job by the program of this version.
func (j *guardJob) imageFor(version string) (string, error) {
	switch {
	case j.image != "":
		return j.image, nil
	case released.MatchString(version):
		return published + version, nil
	}
	return "", usagef("--print-job takes --image here: this program is no release, but the build %q, of which no image is published. "+
		"Push an image with it as its entry point, and name that; or take the program of a release", version)
}

// printJob prints the manifest.
func (t *terminal) printJob(name string, a *guardAsked) error {
	namespace, _, err := t.reach.of(*t.reach.flags.Context).ToRawKubeConfigLoader().Namespace()
	switch {
	case err != nil:
		return err
	case a.job.account == "":
		return usagef("--print-job takes --service-account: as whom the Job looks at the cluster, and takes the traffic back")
	case a.once:
		return usagef("--once and --print-job exclude each other: the Job ends with the promotion")
	case len(t.reach.contexts) > 0:
		return usagef("--contexts and --print-job exclude each other: a Job guards the cluster that it is in, as its service account. A promotion over several clusters is guarded from outside")
	}
	image, err := a.job.imageFor(t.version)
	if err != nil {
		return err
	}
	args := []string{"guard", name, "--namespace", namespace}
	if a.unattended > 0 {
		args = append(args, "--unattended", a.unattended.String())
	}
	if a.reason != "" {
		args = append(args, "--reason", a.reason)
	}
	labels := map[string]string{release.LabelName: "kubectl-switchback"}
	job := batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-guard-", Namespace: namespace, Labels: labels},
		Spec: batchv1.JobSpec{
			TTLSecondsAfterFinished: new(guardKept),
			// What was taken back is told by the Job's failure, and not tried again.
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action:      batchv1.PodFailurePolicyActionFailJob,
				OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{int32(ExitUsage), int32(ExitNo)}},
			}}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					ServiceAccountName: a.job.account, RestartPolicy: corev1.RestartPolicyNever,
					SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
					Containers: []corev1.Container{{
						Name: "guard", Image: image, Args: args,
						SecurityContext: &corev1.SecurityContext{
							AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
						},
						Resources: corev1.ResourceRequirements{
							Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("20m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
							Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
						},
					}},
				},
			},
		},
	}
	return (&format{name: "yaml"}).write(t.Out, job)
}
