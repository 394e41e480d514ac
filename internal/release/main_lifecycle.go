package release

// MainStatuses lists every MainStatus.
func MainStatuses() []MainStatus { return mains.Statuses() }

// MainLifecycle is the table of main deployments. It must not be modified.
func MainLifecycle() Lifecycle[MainStatus] { return mains }

// MainCanBecome says whether a main deployment's status may follow another; see
// Lifecycle.CanBecome.
func MainCanBecome(from, to MainStatus) bool { return mains.CanBecome(from, to) }

// Kind says whether the status stays; empty for one that is not known.
func (s MainStatus) Kind() Kind {
	stage, _ := mains.Of(s)
	return stage.Kind
}

// mains is the life of a main deployment. A promotion that was cut off at any
// instant is gone on with by the next one, so that mark main and terminate are
// allowed everywhere; the application's Lease keeps promotions apart.
var mains = Lifecycle[MainStatus]{
	{
		Status: MainAwaitingApproval, Kind: KindTransient, First: true, Planned: true,
		Meaning:   "Traffic has not moved: somebody has to approve it first.",
		Next:      []MainStatus{MainApprovalDenied, MainWaiting, MainCancelled},
		Allowed:   []Action{ActionMarkMain, ActionCancel, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "CREATING_APPROVAL"},
	},
	{
		Status: MainApprovalDenied, Kind: KindError, Planned: true,
		Meaning: "Traffic has not moved: whoever had to approve it said no. Marking main again asks again.",
		Next:    []MainStatus{MainAwaitingApproval, MainWaiting},
		Allowed: []Action{ActionMarkMain, ActionTerminate},
	},
	{
		Status: MainWaiting, Kind: KindTransient, First: true,
		Meaning:   "Traffic has not moved: the new deployment must have all its pods ready on every cluster.",
		Next:      []MainStatus{MainRunning, MainCancelling, MainFailed},
		Allowed:   []Action{ActionMarkMain, ActionCancel, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "WAITING_FOR_INSTANCES"},
	},
	{
		Status: MainRunning, Kind: KindTransient,
		Meaning:   "Traffic is moving.",
		Next:      []MainStatus{MainPaused, MainFinalizing, MainWaiting, MainCancelling, MainRollingBack},
		Allowed:   []Action{ActionMarkMain, ActionCancel, ActionRollBack, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "RUNNING"},
	},
	{
		Status: MainPaused, Kind: KindSettled,
		Meaning: "A share of the traffic goes to the new deployment, and stays until somebody lets the promotion go on: see `status_reason`. Nobody watches meanwhile.",
		Next:    []MainStatus{MainRunning, MainFinalizing, MainWaiting, MainRollingBack},
		Allowed: []Action{ActionMarkMain, ActionRollBack, ActionTerminate},
	},
	{
		Status: MainFinalizing, Kind: KindTransient,
		Meaning:   "Traffic has moved; the new side is watched for its `bake`, the old side drains, and what nobody needs is removed.",
		Next:      []MainStatus{MainFinalized, MainWaiting, MainRollingBack, MainFailed},
		Allowed:   []Action{ActionMarkMain, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "FINALIZING"},
	},
	{
		Status: MainFinalized, Kind: KindSettled,
		Meaning:   "Traffic is where it was asked to be, and nothing is left to do.",
		Next:      []MainStatus{MainAwaitingApproval, MainWaiting, MainFinalizing, MainRollingBack},
		Allowed:   []Action{ActionMarkMain, ActionRollBack, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "FINALIZED"},
	},
	{
		Status: MainCancelling, Kind: KindTransient,
		Meaning:   "Somebody ended the promotion of a group; traffic goes back to where it was.",
		Next:      []MainStatus{MainCancelled, MainWaiting, MainFailed},
		Allowed:   []Action{ActionMarkMain, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "CANCELLING"},
	},
	{
		Status: MainCancelled, Kind: KindSettled,
		Meaning:   "Somebody ended the promotion of a group; traffic is where it was.",
		Next:      []MainStatus{MainAwaitingApproval, MainWaiting},
		Allowed:   []Action{ActionMarkMain, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "CANCELLED"},
	},
	{
		Status: MainRollingBack, Kind: KindTransient,
		Meaning:   "The promotion failed, or somebody asked to go back; traffic goes back to where it was.",
		Next:      []MainStatus{MainRolledBack, MainWaiting, MainFailed},
		Allowed:   []Action{ActionMarkMain, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "ROLLING_BACK"},
	},
	{
		Status: MainRolledBack, Kind: KindSettled,
		Meaning:   "The promotion failed, or its bake, or somebody asked to go back; traffic is where it was.",
		Next:      []MainStatus{MainAwaitingApproval, MainWaiting},
		Allowed:   []Action{ActionMarkMain, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "ROLLED_BACK"},
	},
	{
		Status: MainFailed, Kind: KindError,
		Meaning:   "The promotion ended before traffic moved, or going back failed too, or there was nothing to go back to: `split` says where traffic is.",
		Next:      []MainStatus{MainAwaitingApproval, MainWaiting, MainRunning, MainRollingBack},
		Allowed:   []Action{ActionMarkMain, ActionRollBack, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "FAILED"},
	},
}
