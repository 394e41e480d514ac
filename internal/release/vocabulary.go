package release

// Vocabulary is another platform's way of naming where a release is. Ours are
// mapped to it where a word means the same, and nowhere else.
type Vocabulary string

// Vocabularies.
const (
	VocabularyInstances    Vocabulary = "instances"    // of running instances: queued … terminated
	VocabularyPromotions   Vocabulary = "promotions"   // of blue-green promotions: CREATING_APPROVAL … DELETED
	VocabularyEnvironments Vocabulary = "environments" // of environments: READY … RESTARTING
)

// Vocabularies lists every Vocabulary.
func Vocabularies() []Vocabulary {
	return []Vocabulary{VocabularyInstances, VocabularyPromotions, VocabularyEnvironments}
}

// Words are all words of a vocabulary, in its own order.
func (v Vocabulary) Words() []string { return words[v] }

var words = map[Vocabulary][]string{
	VocabularyInstances: {
		"queued", "starting", "started", "stopping", "stopped", "terminating", "terminated",
		"start error", "stop error", "terminate error",
	},
	VocabularyPromotions: {
		"CREATING_APPROVAL", "CREATING", "WAITING_FOR_INSTANCES", "RUNNING", "FINALIZING", "FINALIZED",
		"CANCELLING", "CANCELLED", "FAILED", "ROLLING_BACK", "ROLLED_BACK", "DELETING", "DELETED",
	},
	VocabularyEnvironments: {
		"READY", "QUEUED", "BUILDING", "DEPLOYING", "DEPLOYMENT OK", "DEPLOYMENT ERROR", "STOPPED", "RESTARTING",
	},
}
