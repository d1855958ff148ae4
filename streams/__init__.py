"""What happens as events arrive: intake, landing, early warning, duty."""
