# METADATA
# title: Settings
# description: >
#   The data documents, each by one rule. The engine looks for rules below every path that starts at `data`; a rule that was
#   evaluated it finds at once. Write `data.abide.settings.caps`, not `data.caps`, and full paths instead of imports.
package abide.settings

approvals := data.approvals

canary := data.canary

caps := data.caps

egress := data.egress

grants := data.grants

hard := data.hard

levels := data.levels

merge := data.merge

profiles := data.profiles

review := data.review

safety := data.safety
