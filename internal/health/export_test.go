package health

// TakeLog is takeLog.
func (f *Finding) TakeLog(logs map[PodRef]string) { f.takeLog(logs, 0) }
