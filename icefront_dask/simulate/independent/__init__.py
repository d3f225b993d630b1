"""A second generator of SAR scenes, for scoring alone: it shares no code and no model of texture with the first."""
