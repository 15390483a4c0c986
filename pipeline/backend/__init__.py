"""Work from the Tracepipe API: sessions and catalogue come from there, statuses go back."""
